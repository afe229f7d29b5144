use http::{HeaderMap, HeaderName, HeaderValue};

/// Returns the first value of a header.
///
/// In the few headers of a usual request it is found by comparing names, for less than the hash of a name costs.
#[inline]
pub(crate) fn first_value<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Option<&'h HeaderValue> {
    if headers.keys_len() > MAX_STEPS {
        return headers.get(name);
    }
    let mut headers = headers.iter();
    headers.find_map(|(key, value)| (key == name).then_some(value))
}

/// The number of names that are compared before a look-up by hash is cheaper.
const MAX_STEPS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_any_size_gives_the_first_value() {
        let name = HeaderName::from_static("grpc-status");
        for others in 0..2 * MAX_STEPS {
            let mut headers = HeaderMap::new();
            for n in 0..others {
                let other = format!("x-{n}").parse::<HeaderName>().expect("legal");
                headers.append(other.clone(), HeaderValue::from_static("x"));
                headers.append(other, HeaderValue::from_static("y"));
            }
            assert!(first_value(&headers, &name).is_none(), "{others}");
            for value in ["0", "1"] {
                headers.append(&name, HeaderValue::from_static(value));
            }
            let value = first_value(&headers, &name);
            assert_eq!(value.expect("there"), "0", "{others}");
        }
    }
}
