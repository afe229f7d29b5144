//! What the two eras of the protocol demand, and what is refused.

use serde_json::{Value, json};
use tracehound::dev::DevServer;

use super::super::{exchange, get, post, start};
use super::{PATH, ask, send, with_order};

#[test]
fn a_client_of_before_2026_07_begins_with_initialize() {
    let server = start();
    for (wanted, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2999-01-01", "2025-11-25"),
    ] {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": wanted, "capabilities": {}, "clientInfo": client});
        let result = ask(&server, "initialize", params);
        assert_eq!(result["protocolVersion"], agreed, "{wanted}");
        assert_eq!(result["serverInfo"]["name"], "tracehound");
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        assert!(
            result["instructions"]
                .as_str()
                .unwrap()
                .contains("get_services")
        );
    }
    let done = send(
        &server,
        &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    );
    assert_eq!((done.status, done.body.len()), (202, 0));
    assert_eq!(ask(&server, "ping", json!({})), json!({}));
    let tools = ask(&server, "tools/list", json!({}));
    assert_eq!(tools["tools"].as_array().unwrap().len(), 8);
    assert_eq!(tools.get("resultType"), None);
    // Without a slash at the end, too.
    let ping = json!({"jsonrpc": "2.0", "id": "a", "method": "ping"}).to_string();
    let answer = post(
        server.query_address(),
        "/api/ai/mcp",
        "application/json; charset=utf-8",
        ping.as_bytes(),
    );
    assert_eq!(
        answer.json(),
        json!({"jsonrpc": "2.0", "id": "a", "result": {}})
    );
}

/// Sends a request with headers of 2026-07-28, and returns its status and answer.
fn modern(
    server: &DevServer,
    headers: &[(&str, &str)],
    method: &str,
    params: &Value,
) -> (u16, Value) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let query = server.query_address();
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {query}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len(),
    );
    let answer = exchange(query, request.as_bytes());
    (answer.status, answer.json())
}

fn meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

#[test]
fn a_request_of_2026_07_speaks_for_itself() {
    let server = with_order();
    let version = ("MCP-Protocol-Version", "2026-07-28");
    let params = |more: Value| {
        let mut params = json!({"_meta": meta("2026-07-28")});
        params
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        params
    };
    let (status, answer) = modern(
        &server,
        &[version, ("Mcp-Method", "server/discover")],
        "server/discover",
        &params(json!({})),
    );
    let result = &answer["result"];
    assert_eq!(status, 200, "{answer}");
    assert_eq!(result["supportedVersions"][0], "2026-07-28");
    assert_eq!(
        (&result["resultType"], &result["cacheScope"]),
        (&json!("complete"), &json!("public"))
    );
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "tracehound"
    );
    let (_, list) = modern(
        &server,
        &[version, ("Mcp-Method", "tools/list")],
        "tools/list",
        &params(json!({})),
    );
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 8);
    assert!(list["result"]["ttlMs"].is_u64(), "{list}");
    let services = params(json!({"name": "get_services"}));
    for name in ["get_services", "=?base64?Z2V0X3NlcnZpY2Vz?="] {
        let headers = [version, ("Mcp-Method", "tools/call"), ("Mcp-Name", name)];
        let (status, answer) = modern(&server, &headers, "tools/call", &services);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            answer["result"]["structuredContent"]["services"],
            json!(["cart", "pay", "shop"])
        );
    }
    let call = ("Mcp-Method", "tools/call");
    let list = ("Mcp-Method", "tools/list");
    let name = ("Mcp-Name", "get_services");
    let no_capabilities =
        json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
    for (headers, method, params, status, code) in [
        (
            &[call, name][..],
            "tools/call",
            services.clone(),
            400,
            -32_020,
        ),
        (
            &[version, name],
            "tools/call",
            services.clone(),
            400,
            -32_020,
        ),
        (
            &[version, call],
            "tools/call",
            services.clone(),
            400,
            -32_020,
        ),
        (
            &[version, call, ("Mcp-Name", "=?base64?*?=")],
            "tools/call",
            services.clone(),
            400,
            -32_020,
        ),
        (
            &[version, call, name, ("Mcp-Name", "other")],
            "tools/call",
            services.clone(),
            400,
            -32_020,
        ),
        (
            &[version, call, ("Mcp-Name", "\u{e9}")],
            "tools/call",
            services.clone(),
            400,
            -32_020,
        ),
        (
            &[("MCP-Protocol-Version", "2025-11-25"), list],
            "tools/list",
            params(json!({})),
            400,
            -32_020,
        ),
        (
            &[version, list],
            "tools/list",
            no_capabilities,
            400,
            -32_602,
        ),
        (&[version, list], "tools/list", json!({}), 400, -32_602),
        (
            &[version, list],
            "tools/list",
            params(json!({"cursor": "2"})),
            400,
            -32_602,
        ),
        (
            &[version, call, ("Mcp-Name", "x")],
            "tools/call",
            params(json!({"name": "x"})),
            400,
            -32_602,
        ),
        (
            &[version, ("Mcp-Method", "ping")],
            "ping",
            params(json!({})),
            404,
            -32_601,
        ),
        (
            &[version, ("Mcp-Method", "initialize")],
            "initialize",
            params(json!({})),
            404,
            -32_601,
        ),
        (
            &[("MCP-Protocol-Version", "1900-01-01"), list],
            "tools/list",
            json!({"_meta": meta("1900-01-01")}),
            400,
            -32_022,
        ),
        (
            &[("MCP-Protocol-Version", "1900-01-01"), list],
            "tools/list",
            json!({}),
            400,
            -32_022,
        ),
    ] {
        let (got, answer) = modern(&server, headers, method, &params);
        assert_eq!(
            (got, &answer["error"]["code"]),
            (status, &json!(code)),
            "{headers:?} {method}: {answer}"
        );
        assert_eq!(answer["id"], 1);
        if code == -32_022 {
            assert_eq!(answer["error"]["data"]["requested"], "1900-01-01");
            assert_eq!(answer["error"]["data"]["supported"][0], "2026-07-28");
        }
    }
}

#[test]
fn a_client_of_march_2025_may_send_a_list() {
    let server = start();
    let query = server.query_address();
    let ping = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    let first = r#"{"jsonrpc":"2.0","id":3,"method":"initialize"}"#;
    let list = format!("[{},{note},7,{first},{}]", ping(1), ping(2));
    let answer = post(query, PATH, "application/json", list.as_bytes());
    assert_eq!(answer.status, 200);
    let answers = answer.json();
    assert_eq!(answers.as_array().unwrap().len(), 4, "{answers}");
    assert_eq!(
        (&answers[0]["id"], &answers[3]["id"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(answers[1]["error"]["code"], -32_600);
    assert_eq!(
        (&answers[2]["id"], &answers[2]["error"]["code"]),
        (&json!(3), &json!(-32_600))
    );
    let notes = format!("[{note},{note}]");
    assert_eq!(
        post(query, PATH, "application/json", notes.as_bytes()).status,
        202
    );
    let many = format!("[{}]", vec![ping(1); 17].join(","));
    assert_eq!(
        post(query, PATH, "application/json", many.as_bytes()).status,
        400
    );
    for (version, status) in [
        ("2025-03-26", 200),
        ("2025-06-18", 400),
        ("2026-07-28", 400),
    ] {
        let list = format!("[{}]", ping(1));
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nHost: {query}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             MCP-Protocol-Version: {version}\r\nContent-Length: {}\r\n\r\n{list}",
            list.len(),
        );
        assert_eq!(
            exchange(query, request.as_bytes()).status,
            status,
            "{version}"
        );
    }
}

#[test]
fn parameters_that_are_null_count_as_absent() {
    let server = start();
    for (method, code) in [
        ("ping", None),
        ("tools/list", None),
        ("initialize", Some(-32_602)),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":null}}"#);
        let answer = post(
            server.query_address(),
            PATH,
            "application/json",
            body.as_bytes(),
        );
        assert_eq!(answer.status, 200, "{method}");
        let found = answer.json()["error"]["code"].as_i64();
        assert_eq!(found, code, "{method}");
    }
}

#[test]
fn messages_that_are_no_requests_are_refused() {
    let server = start();
    let query = server.query_address();
    let deep = "[".repeat(50_000);
    let large = format!("{{\"id\":\"{}\"}}", "x".repeat(64 << 10));
    for (body, status, code) in [
        ("", 400, -32_700),
        ("{", 400, -32_700),
        ("\u{feff}{}", 400, -32_700),
        (&deep, 400, -32_700),
        ("[]", 400, -32_600),
        ("null", 400, -32_600),
        (r#"{"id":1,"method":"ping"}"#, 400, -32_600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, -32_600),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            400,
            -32_600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            400,
            -32_600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
            400,
            -32_600,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, 400, -32_600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            400,
            -32_600,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 400, -32_600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#,
            200,
            -32_602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#,
            200,
            -32_601,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#,
            200,
            -32_601,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
            200,
            -32_602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"<b>"}}"#,
            200,
            -32_602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_services","arguments":[]}}"#,
            200,
            -32_602,
        ),
        (&large, 413, -32_600),
    ] {
        let answer = post(query, PATH, "application/json", body.as_bytes());
        let error = answer.json()["error"].take();
        let shown = &body[..body.len().min(90)];
        assert_eq!(
            (answer.status, &error["code"]),
            (status, &json!(code)),
            "{shown}: {error}"
        );
        assert!(
            error["message"].as_str().unwrap().chars().count() <= 301,
            "{shown}"
        );
    }
    let not_utf8 = post(query, PATH, "application/json", b"\"\xff\"");
    assert_eq!(
        (not_utf8.status, &not_utf8.json()["error"]["code"]),
        (400, &json!(-32_700))
    );
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        assert_eq!(
            post(query, PATH, content_type, ping).status,
            415,
            "{content_type}"
        );
    }
    // No stream, and no session that could be ended.
    assert_eq!(get(query, PATH).status, 405);
    let delete = format!("DELETE {PATH} HTTP/1.1\r\nHost: {query}\r\nConnection: close\r\n\r\n");
    assert_eq!(exchange(query, delete.as_bytes()).status, 405);
}

#[test]
fn a_page_elsewhere_reaches_no_tool() {
    let server = with_order();
    let query = server.query_address();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for (host, origin, status) in [
        (query.to_string().as_str(), "http://127.0.0.1:1", 200),
        (&query.to_string(), "https://evil.example", 403),
        (&query.to_string(), "null", 403),
        ("evil.example", "http://127.0.0.1:1", 403),
    ] {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        assert_eq!(
            exchange(query, request.as_bytes()).status,
            status,
            "{host} {origin}"
        );
    }
}
