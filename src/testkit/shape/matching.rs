//! Finds out which span fits which shape.

/// Pairs each of `expected` with one of `found` that fits it, as many as can be. Returns the place in `found` for each.
///
/// A shape may fit several spans, so the first fit is not always part of the best choice (an augmenting path undoes
/// it).
pub(super) fn pairs(
    expected: usize,
    found: usize,
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<Option<usize>> {
    let mut shape_of = vec![None; found];
    for shape in 0..expected {
        let mut seen = vec![false; found];
        augment(shape, &fits, &mut seen, &mut shape_of);
    }
    let mut place_of = vec![None; expected];
    for (place, shape) in shape_of.into_iter().enumerate() {
        if let Some(shape) = shape {
            place_of[shape] = Some(place);
        }
    }
    place_of
}

/// Finds a place for a shape, moving others if need be. Returns whether there is one.
fn augment(
    shape: usize,
    fits: &impl Fn(usize, usize) -> bool,
    seen: &mut [bool],
    shape_of: &mut [Option<usize>],
) -> bool {
    for place in 0..seen.len() {
        if seen[place] || !fits(shape, place) {
            continue;
        }
        seen[place] = true;
        let is_free = match shape_of[place] {
            None => true,
            Some(other) => augment(other, fits, seen, shape_of),
        };
        if is_free {
            shape_of[place] = Some(shape);
            return true;
        }
    }
    false
}

/// Returns whether each of `expected` fits one of `found`, in this order, others of `found` left out.
pub(super) fn fits_in_order(
    expected: usize,
    found: usize,
    fits: impl Fn(usize, usize) -> bool,
) -> bool {
    let mut places = 0..found;
    (0..expected).all(|shape| places.by_ref().any(|place| fits(shape, place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_fit_is_moved_if_another_shape_needs_its_place() {
        // The first shape fits both spans, the second one only the first span.
        let fits = |shape, place| shape == 0 || place == 0;
        assert_eq!(pairs(2, 2, fits), [Some(1), Some(0)]);
    }

    #[test]
    fn as_many_as_can_be_are_paired() {
        assert_eq!(pairs(2, 1, |_, _| true), [Some(0), None]);
        assert_eq!(pairs(1, 2, |_, place| place == 1), [Some(1)]);
        assert_eq!(pairs(1, 0, |_, _| true), [None]);
    }

    #[test]
    fn an_order_may_have_gaps_in_what_is_found_only() {
        let same = |found: &'static str, expected: &'static str| {
            fits_in_order(expected.len(), found.len(), |shape, place| {
                found.as_bytes()[place] == expected.as_bytes()[shape]
            })
        };
        assert!(same("abc", "ac"));
        assert!(!same("abc", "ca"));
        assert!(!same("a", "aa"));
    }
}
