//! The same control plane feeds Envoy and Tandem at once, and after each change both are compared:
//! what requests get, what was asked for, accepted and refused, and what the admin pages show.
//!
//! Listeners have ports of their own in each process; all else that is said is the same. Groups in
//! `meant.txt` are `planes` (either way), `planes-sotw` and `planes-delta`.

mod changes;
mod discovered;
mod health;
mod refusals;
mod shown;
mod side;
mod world;
