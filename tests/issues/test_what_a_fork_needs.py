"""Who forks or reports finds a workflow that runs the checks, a form, licence and changes."""

import re

import yaml
from tracked import FILES, ROOT

import ser


def test_the_workflow_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = workflow["jobs"]["tests"]["steps"]
    (command,) = (step["run"] for step in steps if "run" in step)
    assert (ROOT / command).stat().st_mode & 0o111
    versions = [step["with"]["python-version"] for step in steps if "with" in step]
    setup = (ROOT / "setup.py").read_text()
    assert f'python_requires=">={versions[0]}"' in setup


def test_links_stay_in_the_repository() -> None:
    """Another one would lead nowhere on any other machine."""
    links = [path for path in FILES if path.is_symlink()]
    assert links
    assert [path for path in links if not path.resolve().is_relative_to(ROOT)] == []
    assert [path for path in links if path.readlink().is_absolute()] == []


def test_the_form_asks_for_what_the_doctor_says() -> None:
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text())
    asked = [part["attributes"]["description"] for part in form["body"]]
    programs = re.findall(r"python -m ([\w.]+) --json", " ".join(asked))
    assert programs == ["ser.bin.doctor"]


def test_changes_are_told_for_this_version_and_the_next() -> None:
    text = (ROOT / "ser" / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.M)[:2] == ["Unreleased", ser.__version__]
