import pandas as pd

from havir_lib.data.published import compare_counts, load_published_counts


def test_differences_are_reported_with_their_source():
    names = ["V1v", "V1d", "hV4", "nsdgeneral", "hV4"]  # hV4 is listed in two sets
    counts = pd.DataFrame({"roi": names, "n_voxels": [594, 756, 690, 15724, 1]})
    table = compare_counts({"subj01": counts, "someone": counts}).set_index("roi")
    assert set(table["subject"]) == {"subj01"}
    assert table.loc["nsdgeneral", "difference"] == 0
    assert table.loc["V1v", "difference"] == 0
    assert table.loc["V1v+V1d", ["n_voxels", "n_published"]].tolist() == [1350, 1348]
    assert sorted(table.loc["hV4", "difference"]) == [3, 14]  # two sources
    assert "V2v" not in table.index


def test_every_published_count_names_its_source():
    table = load_published_counts()
    assert (table["source"].str.len() > 5).all()
    assert (table["n_voxels"] > 0).all()
    assert not table.duplicated(["subject", "roi", "source"]).any()
    assert not table["source"].str.contains("memory").any()
