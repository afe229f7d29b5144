//! tracehound
