"""A search by value and by keywords."""

from dataclasses import fields
from typing import get_type_hints

import pytest

from tlsearch.search.options import SearchKeywords, SearchOptions
from tlsearch.search.study import Study
from tlsearch.spaces.backbone.spec import BackboneSpec
from tlsearch.spaces.space import SearchSpace

from .factory import striped_dataset

BACKBONE = BackboneSpec(0.35, 32, "random")


def test_keywords_are_the_attributes_with_their_types():
    assert list(get_type_hints(SearchKeywords)) == [field.name for field in fields(SearchOptions)]
    assert get_type_hints(SearchKeywords) == get_type_hints(SearchOptions)


def test_a_study_takes_a_value_or_keywords_or_both(tmp_path):
    data = striped_dataset(tmp_path)
    options = {"engine": "keras-tuner", "algorithm": "random", "cache_dir": tmp_path / "cache"}
    by_keywords = Study.open(tmp_path / "study", data, backbone=BACKBONE, space=None, seed=3, **options)
    search = SearchOptions(backbone=BACKBONE, **options)
    # Would be refused if it were another search.
    by_value = Study.open(tmp_path / "study", data, search, seed=3)
    assert by_value.store.settings == by_keywords.store.settings
    assert by_value.store.settings.seed == 3 and by_value.space == by_keywords.space == SearchSpace()


def test_a_search_without_a_backbone_is_none(tmp_path):
    with pytest.raises(TypeError, match="backbone"):
        Study.open(tmp_path / "study", striped_dataset(tmp_path), seed=1)
