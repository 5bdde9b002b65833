"""A file that is written into a recipe's ``conf`` must not land in another recipe."""

from tracked import ROOT

EGS = ROOT / "egs"


def test_no_link_leads_out_of_a_recipe() -> None:
    for recipe in EGS.iterdir():
        for path in (recipe / "conf").rglob("*"):
            if path.is_symlink():
                assert path.resolve().is_relative_to(recipe.resolve()), path
