"""What Prometheus is given: promtool's word on it, and for each alert a test in which it fires and a line that says what to do."""

from __future__ import annotations

import re

from tests.prometheus import FOLDER, promtool

README = (FOLDER.parents[1] / "README.md").read_text()
ALERTS = (FOLDER / "alerts.yml").read_text()
NAMES = re.findall(r"- alert: (\w+)", ALERTS)


def runbook() -> str:
    """The README's section."""
    return README.split("### When an alert fires\n")[1].split("\n## ")[0]


def test_promtool_accepts_the_configuration_with_its_rules() -> None:
    promtool("check", "config", FOLDER / "prometheus.yml")
    promtool("check", "rules", "--lint-fatal", FOLDER / "recording.yml", FOLDER / "alerts.yml")


def test_alerts_fire_where_they_must_and_nowhere_else() -> None:
    promtool("test", "rules", FOLDER / "alerts.test.yml")


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    fires = re.findall(r"alertname: (\w+)\n\s+eval_time: \w+\n\s+exp_alerts:", (FOLDER / "alerts.test.yml").read_text())
    assert NAMES
    assert set(fires) == set(NAMES)


def test_every_alert_has_its_line_in_the_readme_and_no_other_has() -> None:
    assert re.findall(r"^\| `(\w+)` \|", runbook(), flags=re.MULTILINE) == NAMES


def test_every_line_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    for line in re.findall(r"^\| `\w+` \|.*$", runbook(), flags=re.MULTILINE):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 4
        assert all(cells), line


def test_every_alert_is_graded_and_points_to_its_line() -> None:
    severities = re.findall(r"severity: (\w+)", ALERTS)
    assert (len(severities), set(severities)) == (len(NAMES), {"critical", "warning"})
    assert re.findall(r"runbook: (\S+)", ALERTS) == ["README.md#when-an-alert-fires"] * len(NAMES)
