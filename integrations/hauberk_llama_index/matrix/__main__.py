"""`python -m hauberk_llama_index.matrix`: run the matrix here, print it, or write it to a file."""

import sys

from hauberk.testing.matrix import command
from hauberk_llama_index.matrix._matrix import run
from hauberk_llama_index.matrix._page import page

if __name__ == "__main__":
    sys.exit(command("hauberk_llama_index.matrix", run, page))
