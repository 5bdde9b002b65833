"""YAML is read strictly: every mistake is one line with file, key and expectation."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.section import Section
from ser.config.yaml_file import read_yaml


class Cat(Section):
    type: Literal["cat"]
    num_lives: Annotated[int, Field(ge=1, le=9)]


class Dog(Section):
    type: Literal["dog"]
    loudness: float


class Walk(Section):
    speed: Annotated[float, Field(gt=0)]
    max_steps: int
    hours: Annotated[list[int], Field(min_length=2, max_length=2)]


class Pets(Section):
    pet: Annotated[Cat | Dog, Field(discriminator="type")]
    walk: Walk
    rest: Walk | None
    name: str
    is_tame: bool


GOOD = """\
pet: {type: cat, num_lives: 7}
walk:
  speed: 1.0e-3
  max_steps: 10
  hours: [8, 18]
rest: null
name: Tom
is_tame: true
"""


def error_of(tmp_path: Path, text: str) -> str:
    path = tmp_path / "pets.yaml"
    path.write_text(text)
    with pytest.raises(SerError) as error:
        load_config(path, Pets)
    said = str(error.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    return said.removeprefix(str(path))


def test_a_file_that_is_nothing_but_another_names_the_one_to_edit(tmp_path: Path) -> None:
    (tmp_path / "whisper").mkdir()
    (tmp_path / "labels.yaml").write_text("classes: {ang: [ang], sad: [sad]}\n")
    (tmp_path / "whisper" / "labels.yaml").write_text("# as there\n!include ../labels.yaml\n")
    with pytest.raises(SerError) as error:
        load_config(tmp_path / "whisper" / "labels.yaml", LabelsConfig)
    assert str(error.value).startswith(f"{tmp_path / 'labels.yaml'}: the key 'exclude' is missing")


def test_good(tmp_path: Path) -> None:
    path = tmp_path / "pets.yaml"
    path.write_text(GOOD)
    pets = load_config(path, Pets)
    assert pets.walk == Walk(speed=0.001, max_steps=10, hours=[8, 18])
    assert isinstance(pets.pet, Cat)
    with pytest.raises(ValueError, match="frozen"):
        pets.name = "Jerry"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_steps: 10", "max_stps: 10", ": the key 'walk.max_steps' is missing"),
        ("max_steps: 10", "max_steps: 10\n  sped: 2", ": unknown key 'walk.sped'; did you mean "
            "'walk.speed'?"),
        ("name: Tom", "name: Tom\nnmae: Tom", ": unknown key 'nmae'; did you mean 'name'?"),
        # what is known in another section is named with that section
        ("name: Tom", "name: Tom\nspeed: 2", ": unknown key 'speed'; did you mean 'walk.speed'?"),
        ("name: Tom", "name: Tom\nzzz: 2", ": unknown key 'zzz'; expected one of is_tame, name, "
            "pet, rest, walk"),
        # of a union, the keys of the chosen member alone
        ("num_lives: 7", "num_lives: 7, num_live: 7", ": unknown key 'pet.num_live'; did you mean "
            "'pet.num_lives'?"),
        ("num_lives: 7", "num_lives: 7, loudness: 7", ": unknown key 'pet.loudness'; expected one "
            "of num_lives, type"),
        ("name: Tom\n", "", ": the key 'name' is missing"),
        ("cat, num_lives: 7", "dog", ": the key 'pet.loudness' is missing"),
        ("num_lives: 7", "num_lives: 10", ": 'pet.num_lives' is 10; input should be less than or "
            "equal to 9"),
        ("type: cat, ", "", ": the key 'pet.type' is missing"),
        ("type: cat", "type: cow", ": 'pet.type' is 'cow'; expected one of 'cat', 'dog'"),
        ("1.0e-3", "1e-3", ": 'walk.speed' is '1e-3'; input should be a valid number; YAML reads "
            "1e-3 as text, write 1.0e-3"),
        ("hours: [8, 18]", "hours: noon", ": 'walk.hours' is 'noon'; input should be a valid list; "
            "write [noon]"),
        ("hours: [8, 18]", "hours:", ": 'walk.hours' is None; input should be a valid list; write "
            "[]"),
        ("name: Tom", "name: null", ": 'name' is None; input should be a valid string; YAML reads "
            "words such as no, null and 1 as another kind, put them in quotes"),
        ("name: Tom", "name: no", ": 'name' is False; input should be a valid string; YAML reads "
            "words such as no, null and 1 as another kind, put them in quotes"),
        ("1.0e-3", "0", ": 'walk.speed' is 0; input should be greater than 0"),
        ("1.0e-3", ".inf", ": 'walk.speed' is inf; input should be a finite number"),
        ("1.0e-3", ".nan", ": 'walk.speed' is nan; input should be "),
        ("max_steps: 10", "max_steps: 010", ":4: 010 is octal in YAML; write a number without "
            "zeros in front, a word in quotes"),
        ("max_steps: 10", "max_steps: 1:30", ":4: 1:30 is in base 60 in YAML; write a number, a "
            "word in quotes"),
        ("1.0e-3", "1:30.5", ":3: 1:30.5 is in base 60 in YAML"),
        ("max_steps: 10", "max_steps: 10.5", ": 'walk.max_steps' is 10.5; input should be a valid "
            "integer"),
        ("max_steps: 10", "max_steps: 10.0", ": 'walk.max_steps' is 10.0; input should be a valid "
            "integer"),
        ("max_steps: 10", "max_steps: true", ": 'walk.max_steps' is True; input should be a valid "
            "integer"),
        ("max_steps: 10", "max_steps:", ": 'walk.max_steps' is None; input should be a valid int"),
        ("[8, 18]", "[8, x]", ": 'walk.hours.1' is 'x'; input should be a valid integer"),
        ("[8, 18]", "[8]", ": 'walk.hours' is [8]; list should have at least 2 items"),
        ("name: Tom", "name: 7", ": 'name' is 7; input should be a valid string"),
        ("is_tame: true", "is_tame: 1", ": 'is_tame' is 1; input should be a valid boolean"),
        ("rest: null", "rest: {speed: 1, max_steps: 1, hours: [1, 2], sped: 1}", ": unknown key "
            "'rest.sped'; did you mean 'rest.speed'?"),
        ("name: Tom", "name: Tom\n7: 8", ": '7' is 7; keys should be strings"),
        ("name: Tom", "name: Tom\nname: Jim", ":7: the key 'name' stands 2 times; expected once"),
        ("max_steps: 10", "speed: 2", ":3: the key 'speed' stands 2 times; expected once"),
        ("name: Tom", "name: {a: [", ":9: not YAML ("),
        ("name: Tom", "\tname: Tom", ":7: not YAML ("),
        ("name: Tom", "name: \x01", ":7: not YAML (the character '\\x01')"),
        ("name: Tom", "name: 2021-13-45", ": not YAML (month must be in 1..12)"),
        ("name: Tom", "name: !!python/object/apply:os.getcwd []", ":7: not YAML (could not"),
        ("name: Tom", "name: !include none.yaml", ""),
        (GOOD, "", ": holds NoneType; expected keys and values"),
        (GOOD, "- a\n- b\n", ": holds list; expected keys and values"),
        (GOOD, "just text", ": holds str; expected keys and values"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) == 1
    if said:
        assert error_of(tmp_path, GOOD.replace(old, new)).startswith(said)
    else:  # the error is in the other file, which is named
        (tmp_path / "pets.yaml").write_text(GOOD.replace(old, new))
        with pytest.raises(SerError, match=rf"{tmp_path / 'none.yaml'}: no such file; .*:7 incl"):
            load_config(tmp_path / "pets.yaml", Pets)


def test_several_mistakes_are_said_at_once(tmp_path: Path) -> None:
    said = error_of(tmp_path, GOOD.replace("name: Tom\n", "").replace("10", "ten"))
    assert "'name' is missing" in said
    assert "'walk.max_steps' is 'ten'" in said


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=f"{tmp_path / 'pets.yaml'}: no such file"):
        load_config(tmp_path / "pets.yaml", Pets)


def test_include_is_found_beside_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "systems").mkdir()
    (tmp_path / "cat.yaml").write_text("type: cat\nnum_lives: !include lives.yaml\n")
    (tmp_path / "lives.yaml").write_text("7\n")
    path = tmp_path / "systems" / "pets.yaml"
    path.write_text(GOOD.replace("{type: cat, num_lives: 7}", "!include ../cat.yaml"))
    monkeypatch.chdir("/")
    assert load_config(path, Pets).pet == Cat(type="cat", num_lives=7)


def test_the_same_file_may_be_included_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[!include b.yaml, !include b.yaml]")
    (tmp_path / "b.yaml").write_text("1")
    assert read_yaml(tmp_path / "a.yaml") == [1, 1]


@pytest.mark.parametrize("ring", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_include_in_a_ring_is_refused(tmp_path: Path, ring: list[str]) -> None:
    for name, following in zip(ring, ring[1:] + ring[:1], strict=True):
        (tmp_path / f"{name}.yaml").write_text(f"x: !include {following}.yaml\n")
    with pytest.raises(SerError, match=rf"{ring[-1]}\.yaml:1: !include a\.yaml includes itself"):
        read_yaml(tmp_path / "a.yaml")


def test_duplicate_key_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text("pet: !include cat.yaml\n")
    (tmp_path / "cat.yaml").write_text("type: cat\ntype: dog\n")
    with pytest.raises(SerError, match=r"cat\.yaml:1: the key 'type' stands 2 times"):
        load_config(tmp_path / "pets.yaml", Pets)


def test_keys_of_an_included_file_are_taken_over_and_own_ones_win(tmp_path: Path) -> None:
    folder = tmp_path / "systems"
    folder.mkdir()
    (tmp_path / "model.yaml").write_text("d_model: 4\n")
    (folder / "base.yaml").write_text(
        "model: !include ../model.yaml\nalpha: 0.6\nctc: {a: 1, b: {c: 2, d: [3, 4]}, e: {f: 5}}\n"
    )
    (tmp_path / "control.yaml").write_text(
        "<<: !include systems/base.yaml\nctc:\n  a: 6\n  b:\n    d: [7]\n  e: null\nnew: 1\n"
    )
    assert read_yaml(tmp_path / "control.yaml") == {
        "model": {"d_model": 4},  # found beside the file that includes it
        "alpha": 0.6,
        "ctc": {"a": 6, "b": {"c": 2, "d": [7]}, "e": None},  # a list is no section
        "new": 1,
    }


def test_a_section_of_another_type_is_not_mixed_with_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("model: {type: cat, num_lives: 7, legs: 4}\nalpha: 0.6\n")
    (tmp_path / "same.yaml").write_text("<<: !include base.yaml\nmodel: {type: cat, legs: 3}\n")
    (tmp_path / "bird.yaml").write_text("<<: !include base.yaml\nmodel: {type: bird, wings: 2}\n")
    same, bird = (read_yaml(tmp_path / f"{name}.yaml")["model"] for name in ("same", "bird"))
    assert same == {"type": "cat", "num_lives": 7, "legs": 3}
    assert bird == {"type": "bird", "wings": 2}


def test_a_section_that_stands_for_itself_is_taken_as_a_whole(tmp_path: Path) -> None:
    """An included one, and one whose keys are the user's names."""
    (tmp_path / "base.yaml").write_text("model: {a: 1, b: 2}\nclasses: {hap: [joy], sad: [sad]}\n")
    (tmp_path / "model.yaml").write_text("a: 3\n")
    (tmp_path / "own.yaml").write_text(
        "<<: !include base.yaml\nmodel: !include model.yaml\nclasses: {ang: [angry], hap: [joy]}\n"
    )
    own = read_yaml(tmp_path / "own.yaml")
    assert own["model"] == {"a": 3}
    assert list(own["classes"]) == ["ang", "hap"]  # the order of the model's outputs


def test_what_stands_beside_a_link_is_its_own_recipe_s(tmp_path: Path) -> None:
    """conf/systems may be a link into another recipe: ../encoder.yaml is that of conf."""
    for recipe, size in (("theirs", 1), ("mine", 2)):
        (tmp_path / recipe).mkdir()
        (tmp_path / recipe / "encoder.yaml").write_text(f"d_model: {size}\n")
    (tmp_path / "theirs" / "systems").mkdir()
    (tmp_path / "theirs" / "systems" / "a.yaml").write_text("model: !include ../encoder.yaml\n")
    (tmp_path / "mine" / "systems").symlink_to("../theirs/systems")
    for recipe, size in (("theirs", 1), ("mine", 2)):
        assert read_yaml(tmp_path / recipe / "systems" / "a.yaml") == {"model": {"d_model": size}}


def test_only_keys_and_values_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    (tmp_path / "a.yaml").write_text("x: 1\n<<: !include list.yaml\n")
    with pytest.raises(SerError, match=r"a.yaml:2: list.yaml holds list; expected keys and values"):
        read_yaml(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text("<<: !include c.yaml\n<<: !include c.yaml\n")
    (tmp_path / "c.yaml").write_text("x: 1\n")
    with pytest.raises(SerError, match=r"b.yaml:\d: the key '<<' stands 2 times"):
        read_yaml(tmp_path / "b.yaml")
