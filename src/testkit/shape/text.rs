use crate::testkit::shape::span_shape::{SpanShape, span};

/// Reads a tree of names.
pub(super) fn shapes(tree: &str) -> Vec<SpanShape> {
    let mut roots = Vec::new();
    // The last span and those above it, each with its indentation.
    let mut open = Vec::<(usize, SpanShape)>::new();
    for line in tree.lines() {
        let name = line.trim();
        if name.is_empty() {
            continue;
        }
        let indentation = line.len() - line.trim_start().len();
        while open.last().is_some_and(|(last, _)| *last >= indentation) {
            close(&mut open, &mut roots);
        }
        let shape = match name.strip_suffix(" !") {
            Some(name) => span(name).failed(),
            None => span(name),
        };
        open.push((indentation, shape));
    }
    while !open.is_empty() {
        close(&mut open, &mut roots);
    }
    roots
}

/// Hands the last span to the one above it.
fn close(open: &mut Vec<(usize, SpanShape)>, roots: &mut Vec<SpanShape>) {
    if let Some((_, shape)) = open.pop() {
        match open.last_mut() {
            Some((_, parent)) => parent.children.push(shape),
            None => roots.push(shape),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indentation_says_which_span_is_above_which() {
        let tree = "
            a
              b !
                c
              d

            e f: g
        ";
        let b = span("b").failed().child("c");
        let expected = [span("a").child(b).child("d"), span("e f: g")];
        assert_eq!(shapes(tree), expected);
        assert_eq!(
            shapes("a\n      b\n      c"),
            [span("a").children(["b", "c"])]
        );
        // Less indented than its elder sister, but still more than its parent.
        assert_eq!(shapes("a\n    b\n  c"), [span("a").children(["b", "c"])]);
        assert_eq!(shapes(" \n"), []);
    }
}
