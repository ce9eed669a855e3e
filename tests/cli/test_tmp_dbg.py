import pytest
from .report_graph import finished_study
def test_dbg(study):
    top = finished_study(study)
    from aiida_seireact import query
    from aiida_seireact.figures.gallery import FIGURES, make
    import pickle
    print(query.phases(top).iloc[:, :8].to_string())
    f = make("phases", top)
    for p in f.panels:
        print(p.title, p)
    import time
    for name in FIGURES:
        t=time.time()
        try:
            f=make(name, top); print(name, len(f.panels), f.n_points, round(time.time()-t,2))
        except Exception as e: print(name, type(e).__name__, str(e)[:100])
    from aiida_seireact.cli.report import write_report
    from pathlib import Path
    t=time.time(); write_report(top, Path("/tmp/rep_out")); print(time.time()-t)
    assert 0
