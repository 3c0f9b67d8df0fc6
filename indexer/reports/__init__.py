"""Reports that a person reads: charts as SVG, and pages that are one file and need nothing else."""
