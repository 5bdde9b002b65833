"""The paper's networks: one file, one idea. Only ``weights`` knows files.

Dimension letters, in comments at the end of lines that change a shape:

    B utterances     T feature frames (10 ms)    S encoder frames (60 ms; Whisper 20)    F mel bins
    D model width    H attention heads           U tokens                    C emotions
    V vocabulary with the blank
"""
