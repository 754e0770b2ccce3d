"""What AWS Step Functions answered and what people published, run against this package.

``python -m tests.conformance ../shared/conformance`` prints passed and total for
each group. The data is no part of this project; a folder with it is the argument.
"""
