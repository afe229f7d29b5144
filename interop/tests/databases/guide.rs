//! The guide to databases.

use std::{fs, path::Path};

use crate::Result;

#[test]
fn the_guide_shows_the_recipes_that_run_here() -> Result {
    let interop = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(interop.join("../docs/guide/databases.md"))?;
    for recipe in [
        "deadpool_recipe.rs",
        "diesel_recipe.rs",
        "sqlx_recipe.rs",
        "tokio_postgres_recipe.rs",
    ] {
        let code = fs::read_to_string(interop.join("tests/databases").join(recipe))?;
        let shown = format!("```rust,ignore\n{code}```\n");
        assert!(guide.contains(&shown), "the guide does not show {recipe}");
    }
    Ok(())
}
