//! The rules of host/ARCHITECTURE.md that can be read off the source.

mod features;
mod layers;
mod limits;
mod lines;
mod shape;
mod source;
