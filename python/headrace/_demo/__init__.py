"""A demonstration that needs no data: simulate a workload, run the strategies, report."""
