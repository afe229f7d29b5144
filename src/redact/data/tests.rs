use proptest::prelude::*;

use super::*;

#[test]
fn the_values_of_secrets_are_hidden_in_every_notation() {
    let rows = [
        ("{\"user\":\"ada\",\"id\":7}", "{\"user\":\"ada\",\"id\":7}"),
        (
            "{\"user\":\"ada\",\"password\":\"canary\",\"id\":7}",
            "{\"user\":\"ada\",\"password\":…,\"id\":7}",
        ),
        ("{\"password\" : \"ca\\\"nary\"}", "{\"password\" : …}"),
        (
            "{\"apiKey\":{\"a\":[\"canary\"]},\"b\":1}",
            "{\"apiKey\":…,\"b\":1}",
        ),
        ("{\"pass\\u0077ord\":\"canary\"}", "{\"pass\\u0077ord\":…}"),
        ("{\"note\":\"my password is canary\"}", "{\"note\":\"…\"}"),
        ("[\"password\",\"canary\",1]", "[\"password\",…]"),
        ("user=ada&password=canary&id=7", "user=ada&password=…&id=7"),
        ("pass%77ord=canary&id=7", "pass%77ord=…&id=7"),
        ("x_access_key=canary", "x_access_key=…"),
        (
            "Login { user: \"ada\", password: Some(\"canary\"), id: 7 }",
            "Login { user: \"ada\", password: …, id: 7 }",
        ),
        ("Password(\"canary\")", "Password…"),
        ("Secret { value: \"canary\" }", "Secret …"),
        ("<login password=\"canary\"/>", "<login password=…"),
        (
            "<a><password>canary</password><b>1</b></a>",
            "<a><password>…</password><b>1</b></a>",
        ),
        (
            "Authorization: Bearer canary\nx: y",
            "Authorization: …\nx: y",
        ),
        ("token canary", "token …"),
        ("{\"password\":\"canary", "{\"password\":…"),
        ("{\"password\":[\"canary\",{\"a\":", "{\"password\":…"),
        (
            "{\"url\":\"http://ada:canary@shop/\"}",
            "{\"url\":\"http://shop/\"}",
        ),
        ("password", "password"),
        ("", ""),
    ];
    for (given, shown) in rows {
        assert_eq!(data(given), shown, "{given}");
    }
}

#[test]
fn a_separator_in_a_secret_does_not_end_it() {
    let rows = [
        ("{'pwd': 'ca,nary', 'id': 7}", "{'pwd': …, 'id': 7}"),
        ("pwd => `ca,nary`, x", "pwd => …, x"),
        ("pwd='it''s,canary'", "pwd=…"),
        ("pwd=ca,nary;x&id=7", "pwd=…&id=7"),
        ("pwd=ca&nary", "pwd=…"),
        ("pwd=ca&=nary", "pwd=…"),
        ("pwd=ca</nary", "pwd=…"),
        ("{\"pwd\":\"ca,nary\\\\\",\"id\":7}", "{\"pwd\":…,\"id\":7}"),
        (
            "{\"pwd\":{\"a\":\"}ca,nary\"},\"id\":7}",
            "{\"pwd\":…,\"id\":7}",
        ),
        ("user[pwd][]=ca,nary&id=7", "user[pwd][]=…&id=7"),
        ("pwd: ca,nary}\nx: y", "pwd: …\nx: y"),
        (
            "Authorization: Digest username=\"ada\", response=\"canary\"\nx: y",
            "Authorization: …\nx: y",
        ),
        ("key (pwd)=(ca,nary) is there", "key (pwd)=…"),
        ("{\"token\":null,\"b\":1}", "{\"token\":…,\"b\":1}"),
        ("Login { pwd: None, id: 7 }", "Login { pwd: …, id: 7 }"),
        (
            "Login { pwd: Pwd { x: \"canary\" }, id: 7 }",
            "Login { pwd: …, id: 7 }",
        ),
    ];
    for (given, shown) in rows {
        assert_eq!(data(given), shown, "{given}");
    }
}

#[test]
fn an_encoded_text_that_names_a_secret_is_hidden() {
    let rows = [
        ("note=my+pwd+is+canary&id=7", "note=…&id=7"),
        ("q=pwd%3Dcanary&id=7", "q=…&id=7"),
        (
            "payload=%7B%22pwd%22%3A%22canary%22%7D&id=7",
            "payload=…&id=7",
        ),
        ("q=%2570wd%253Dcanary", "q=…"),
        ("{\"q\":\"pwd%3Dcanary\"}", "{\"q\":\"…\"}"),
    ];
    for (given, shown) in rows {
        assert_eq!(data(given), shown, "{given}");
    }
}

#[test]
fn the_value_is_hidden_if_the_name_of_a_secret_is_a_value() {
    let rows = [
        (
            "[{\"name\":\"pwd\",\"type\":\"text\",\"value\":\"canary\"},7]",
            "[{\"name\":\"pwd\",…},7]",
        ),
        (
            "<entry><key>pwd</key><value>canary</value></entry>",
            "<entry><key>pwd…",
        ),
        (
            "Content-Disposition: form-data; name=\"pwd\"\n\ncanary\ncanary\n--b\nx",
            "Content-Disposition: form-data; name=\"pwd\"…\n--b\nx",
        ),
        // The value may stand before its name.
        (
            "[{\"value\":\"canary\",\"name\":\"pwd\"},{\"value\":7,\"name\":\"id\"}]",
            "[{\"value\":…,\"name\":\"pwd\"},{\"value\":7,\"name\":\"id\"}]",
        ),
        (
            "{\"Value\": {\"a\": [\"canary\"]}, \"Key\": \"pwd\"}",
            "{\"Value\": …, \"Key\": \"pwd\"}",
        ),
        (
            "Header { value: \"canary\", name: \"pwd\" }",
            "Header { value: …, name: \"pwd\" }",
        ),
        ("<input value=\"canary\" name=\"pwd\">", "<input value=…"),
        (
            "<entry><value>canary</value><key>pwd</key></entry>",
            "<entry><value>…</value><key>pwd…",
        ),
        // An element with attributes.
        (
            "<e><value xml:lang=\"en\">\ncanary</value><key>pwd</key></e>",
            "<e><value…</value><key>pwd…",
        ),
        (
            "<pwd kind=\"a>b\">\ncanary</pwd><b>1</b>",
            "<pwd…</pwd><b>1</b>",
        ),
        ("<a:pwd kind='x' /><b>1</b>", "<a:pwd…<b>1</b>"),
        // In an object around that of the value.
        (
            "{\"attrs\":{\"value\":\"canary\"},\"name\":\"pwd\"}",
            "{\"attrs\":{\"value\":…},\"name\":\"pwd\"}",
        ),
        (
            "{\"values\":[\"canary\"],\"name\":\"X-Api-Key\"}",
            "{\"values\":…,\"name\":\"X-Api-Key\"}",
        ),
        (
            "{'VALUE': 'canary', 'KEY': 'pwd'}",
            "{'VALUE': …, 'KEY': 'pwd…",
        ),
        (
            "[{'value': 'a}canary', 'name': 'pwd'}]",
            "[{'value': …, 'name': 'pwd…",
        ),
        (
            "[{'value': 'a]canary', 'name': 'pwd'}]",
            "[{'value': …, 'name': 'pwd…",
        ),
        (
            "[{'value': 'a''}canary', 'name': 'pwd'}]",
            "[{'value': …, 'name': 'pwd…",
        ),
        (
            "[{value: `a}canary`, name: `pwd`}]",
            "[{value: …, name: `pwd…",
        ),
        ("[{'value': b'a}canary', 'name': 'pwd'}]", "[{'value': …"),
        ("value=canary name=pwd", "value=…"),
        ("- value: canary\n  name: pwd", "- value: …"),
        (
            "[Header { value: Some(\"canary\"), kind: Kind { name: \"pwd\" } }]",
            "[Header { value: …, kind: Kind { name: \"pwd\" } }]",
        ),
        ("no value for the pwd", "no value for the pwd"),
        (
            "{\"value\":7,\"name\":\"id\"}",
            "{\"value\":7,\"name\":\"id\"}",
        ),
    ];
    for (given, shown) in rows {
        assert_eq!(data(given), shown, "{given}");
    }
}

#[test]
fn a_value_is_shown_if_the_name_of_a_secret_belongs_to_another_one() {
    for text in [
        "[{\"value\":7,\"name\":\"id\"},{\"a\":1,\"name\":\"pwd\"}]",
        "{\"a\":{\"value\":7},\"token\":…}",
        "{\"a\":{\"value\":7},\"b\":{\"name\":\"pwd\"}}",
        "[Amount { value: 7, name: \"eur\" }, Key { name: \"pwd\" }]",
        "<e><value>7</value><key>id</key></e><e><key>pwd</key></e>",
        "<input value=\"7\" name=\"id\"/><input name=\"pwd\"/>",
        "[\"value\", 7, \"pwd\"]",
        "[{'value': 7, 'name': 'it'}, {'a': '}', 'name': 'pwd'}]",
    ] {
        let shown = data(text);
        assert!(shown.contains('7'), "{text}: {shown}");
    }
    // Of the value itself, also where it is cut.
    for text in [
        "{\"list\":[{\"value\":7,\"name\":\"id\"},{\"na",
        "List { items: [Item { value: 7, name: \"id\" }, Item { na",
        "<e><f><value>7</value></f></e>",
    ] {
        assert_eq!(data(text), text);
    }
}

#[test]
fn an_element_is_hidden_with_all_that_is_in_it() {
    let rows = [
        (
            "<p:pwd><v>canary</v></p:pwd><b>1</b>",
            "<p:pwd>…</p:pwd><b>1</b>",
        ),
        (
            "<pwd><![CDATA[ca</nary]]></pwd><b>1</b>",
            "<pwd>…</pwd><b>1</b>",
        ),
        ("<pwd></pwd><b>1</b>", "<pwd></pwd><b>1</b>"),
        ("<pwd>can<b>ary</b></pwd>", "<pwd>…</b></pwd>"),
        (
            "<pwd></x>canary</pwd><b>1</b>",
            "<pwd></x>canary</pwd><b>1</b>",
        ),
        ("pwd: <b>canary</pwd> canary", "pwd: …"),
        ("<user pwd='ca,nary'/><b>1</b>", "<user pwd=…<b>1</b>"),
    ];
    for (given, shown) in rows {
        assert_eq!(data(given), shown, "{given}");
    }
}

#[test]
fn a_private_key_is_hidden() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----";
    assert_eq!(data(key), "… RSA PRIVATE KEY-----");
    let yaml = "key: |\n  -----BEGIN PRIVATE KEY-----\n  canary";
    assert_eq!(data(yaml), "key: |\n  …");
    let public = "-----BEGIN PUBLIC KEY-----\nMIGf\n-----END PUBLIC KEY-----";
    assert_eq!(data(public), public);
}

#[test]
fn no_cut_shows_a_secret() {
    let texts = [
        "{\"user\":\"ada\",\"password\":\"canary\",\"id\":7}",
        "Login { user: \"ada\", token: Some((\"canary\", 1)), id: 7 }",
        "a=1&api_key=canary&b=2",
        "{\"user\":\"ada\",\"value\":\"canary\",\"id\":7,\"name\":\"pwd\"}",
        "[{\"value\":7,\"a\":{}},{\"value\":{\"x\":[\"canary\"]},\"name\":\"pwd\"}]",
        "{\"attrs\":{\"value\":\"canary\"},\"kind\":[1],\"name\":\"pwd\"}",
        "Form { fields: [Field { value: \"canary\", id: Id(1), name: \"pwd\" }] }",
        "<form><input value=\"canary\" id=\"1\" name=\"pwd\"/></form>",
        "<map><entry><value>canary</value><id>1</id><key>pwd</key></entry></map>",
        "<map><entry><value xml:lang=\"en\">canary</value><key>pwd</key></entry></map>",
        "{'fields': [{'value': 'canary', 'id': 1, 'name': 'pwd'}]}",
        "[{'value': 'a}canary', 'name': 'pwd'}]",
        "[{'value': 'a]canary', 'name': 'pwd'}]",
        "[['value' => 'a]canary', 'name' => 'pwd']]",
        "body: '{\"value\":\"it's canary\",\"name\":\"pwd\"}'",
    ];
    for text in texts {
        for end in 0..=text.len() {
            let shown = data(&text[..end]);
            assert!(!shown.contains("can"), "{shown}");
        }
    }
}

#[test]
fn a_query_shows_the_values_that_are_no_secrets() {
    let rows = [
        ("id=7&q=a+b", "?id=7&q=a+b"),
        ("id=7&token=canary&x=1", "?id=7&token=…&x=1"),
        ("access%5Ftoken=canary", "?access%5Ftoken=…"),
        ("canary&id=7", "?id=7"),
        ("to=http%3A%2F%2Fu%3Acanary%40h", "?to=…"),
        ("to=http://h/?password=canary", "?to=…"),
        ("", ""),
    ];
    for (query, expected) in rows {
        let mut shown = String::new();
        push_query(&mut shown, query);
        assert_eq!(shown, expected, "{query}");
    }
}

#[test]
fn a_long_text_of_brackets_is_read_in_time() {
    let text = "password:(".repeat(10_000);
    assert!(data(&text).len() < text.len());
    let text = "\"password\"\"".repeat(10_000);
    assert!(data(&text).len() <= 2 * text.len());
    let inner = ["{\"value\":", "{\"value\":1},", "\"value\":1,"];
    for inner in inner.into_iter().chain([
        "value:",
        "value=",
        "password:value:",
        "[value:",
        "<value>",
        "<a><value a=1>",
        "(value:)}",
    ]) {
        let text = format!("\"password\":1,{}", inner.repeat(10_000));
        for text in [
            format!("{text}}}"),
            format!("{text}{}", "}".repeat(10_000)),
            text,
        ] {
            assert!(data(&text).len() <= 2 * text.len(), "{inner}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_around_a_secret_shows_it(
        form in proptest::sample::select(FORMS),
        before in "[\"'\\\\{}\\[\\]()<>=&;,:%+ \n/a1_.@?#é`|-]{0,6}",
        behind in "[\"'\\\\{}\\[\\]()<>=&;,:%+ \n/a1_.@?#é`|-]{0,6}",
    ) {
        let text = format!("{before}{form}{behind}");
        let shown = data(&text);
        prop_assert!(!shown.contains("nary"), "{text:?} as {shown:?}");
    }
}

/// Forms that hold a secret with a separator in it.
const FORMS: &[&str] = &[
    "{\"password\":\"ca,nary\",\"id\":7}",
    "{\"password\":[\"x\",\"ca,nary\"]}",
    "{\\\"password\\\":\\\"ca,nary\\\"}",
    "{\"name\":\"password\",\"t\":1,\"value\":\"ca,nary\"}",
    "{\"value\":\"ca,nary\",\"t\":1,\"name\":\"password\"}",
    "{\"a\":{\"value\":\"ca,nary\"},\"name\":\"password\"}",
    "<e><value>ca,nary</value><key>password</key></e>",
    "<password a=\"1\">ca,nary</password>",
    "[\"password\",\"ca,nary\",1]",
    "{'password': 'ca,nary'}",
    "password=ca,nary&id=7",
    "x%26password%3Dcanary%26y",
    "password: ca,nary\n",
    "password=\"ca,nary\"",
    "token = ca nary",
    "Authorization: Bearer ca,nary\n",
    "Login { password: \"ca,nary\", id: 7 }",
    "Password(\"ca,nary\")",
    "<password>ca,nary</password>",
    "<a password=\"ca,nary\"/>",
];
