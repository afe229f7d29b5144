use http::{HeaderMap, HeaderName, HeaderValue};

/// Returns the first value of a header.
///
/// In the few headers of a usual request it is found by comparing names, for less than the hash of a name costs.
#[inline]
pub(crate) fn first_value<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Option<&'h HeaderValue> {
    // If every name has one value, the value stands at the index of its name.
    if headers.keys_len() > MAX_STEPS || headers.keys_len() < headers.len() {
        return headers.get(name);
    }
    let place = headers.keys().position(|key| key == name)?;
    headers.values().nth(place)
}

/// The number of names that are compared before a look-up by hash is cheaper.
const MAX_STEPS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_any_size_gives_the_first_value() {
        let name = HeaderName::from_static("grpc-status");
        let (one, two) = (&["x"][..], &["x", "y"][..]);
        for (others, values) in (0..2 * MAX_STEPS).flat_map(|n| [(n, one), (n, two)]) {
            let mut headers = HeaderMap::new();
            for n in 0..others {
                let other = format!("x-{n}").parse::<HeaderName>().expect("legal");
                for value in values {
                    headers.append(other.clone(), HeaderValue::from_static(value));
                }
            }
            assert!(first_value(&headers, &name).is_none(), "{others}");
            for value in ["0", "1"] {
                headers.append(&name, HeaderValue::from_static(value));
                let value = first_value(&headers, &name);
                assert_eq!(value.expect("there"), "0", "{others} {values:?}");
            }
        }
    }
}
