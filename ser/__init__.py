"""Speech emotion recognition that starts from speech recognition (Park & Kim, 2021)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser.infer.loading import load
    from ser.infer.model import Model
    from ser.infer.result import Result

__version__ = "0.1.0"
__all__ = ["Model", "Result", "load"]


def __getattr__(name: str) -> Any:
    """``load``, ``Model`` and ``Result``, imported when they are first asked for."""
    if name in __all__:
        from ser.infer import loading, model, result

        return {"load": loading.load, "Model": model.Model, "Result": result.Result}[name]
    raise AttributeError(f"module 'ser' has no attribute '{name}'")
