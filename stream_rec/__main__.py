"""`python -m stream_rec`: the command line."""

from stream_rec.cli import main

if __name__ == "__main__":
    main()
