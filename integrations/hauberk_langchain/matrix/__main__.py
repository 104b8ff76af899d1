"""`python -m hauberk_langchain.matrix`: run the matrix here, print it, or write it to a file."""

import sys

from hauberk.testing.matrix import command
from hauberk_langchain.matrix._matrix import run
from hauberk_langchain.matrix._page import page

if __name__ == "__main__":
    sys.exit(command("hauberk_langchain.matrix", run, page))
