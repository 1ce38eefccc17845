"""The prediction log as files: a journal of JSON lines that becomes Parquet, read by DuckDB (the extra `log`)."""
