//! Several processes that append to one session all the time.
