import math

import pytest

from models.measure.processes import in_processes


def test_results_come_in_the_order_of_the_jobs_and_each_is_told() -> None:
    done: list[int] = []
    assert in_processes(math.factorial, [5, 3, 4], lambda: done.append(1)) == [120, 6, 24]
    assert len(done) == 3


def test_what_a_job_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="negative"):
        in_processes(math.factorial, [3, -1])


def test_a_single_job_and_none_need_no_other_process() -> None:
    heard: list[int] = []
    assert in_processes(heard.append, [7]) == [None]
    assert heard == [7]
    assert in_processes(math.factorial, []) == []
