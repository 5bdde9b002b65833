"""The same networks on a CPU, in another order of arithmetic. Nothing in them knows of it."""
