//! The guide to queues.

use std::{fs, path::Path};

use crate::Result;

#[test]
fn the_guide_shows_the_recipes_that_run_here() -> Result {
    let interop = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(interop.join("../docs/guide/queues.md"))?;
    for recipe in ["amqp_recipe.rs", "kafka_recipe.rs"] {
        let code = fs::read_to_string(interop.join("tests/queues").join(recipe))?;
        let shown = format!("```rust,ignore\n{code}```\n");
        assert!(guide.contains(&shown), "the guide does not show {recipe}");
    }
    Ok(())
}
