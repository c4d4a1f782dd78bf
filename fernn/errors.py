"""The one family of errors that a user can cause and mend."""


class FernnError(Exception):
    """A mistake outside the code: its message says what was found, what was expected and what to do.

    The command line prints the message without a traceback and exits with status 1.
    """
