"""Writes the dashboard's JSON: `python -m deploy.grafana`."""

from __future__ import annotations

from pathlib import Path

from deploy.grafana.board import as_json

PAGE = Path(__file__).parent / "provisioning" / "dashboards" / "trivium.json"

if __name__ == "__main__":
    PAGE.write_text(as_json())
    print(PAGE)
