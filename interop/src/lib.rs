//! Real counterparts of tracehound, fetched, built and started for the tests beside this file.
