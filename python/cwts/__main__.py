"""`python -m cwts`: the command `cwts`, of this interpreter."""

from cwts.cli import main

if __name__ == "__main__":
    main()
