"""The report as one self-contained page: charts, pictures and tables that open from disk and ask no server for anything."""
