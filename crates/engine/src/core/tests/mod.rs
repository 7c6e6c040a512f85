//! Stories: what people do, and what they then see.

mod clock;
mod friends;
mod limits;
mod model;
mod owners;
mod people;
mod witness;
mod world;
