"""Reports: charts as SVG, contact sheets, and self-contained HTML pages."""
