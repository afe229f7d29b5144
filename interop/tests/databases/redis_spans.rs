//! Commands, pipelines, transactions, scans and messages of a real Redis.

use redis::{AsyncCommands, Client, Commands, Script, Value, pipe};
use tokio::runtime::Runtime;
use tracehound::{
    middleware::{Database, RedisMessages, TracedRedis},
    model::Recording,
    prelude::*,
};

use crate::{Result, redis_server::RedisServer, taken, tracer};

#[test]
fn a_blocking_connection_works_as_before_and_each_command_is_a_span() -> Result {
    let Some(server) = RedisServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::statements())?;
    let client = Client::open(server.url())?;
    let database = Database::redis(tracer, client.get_connection_info());
    let mut cache = TracedRedis::new(client.get_connection()?, database);

    let () = cache.set("canary", 7)?;
    let number: i64 = cache.incr("canary", 1)?;
    assert_eq!(number, 8);
    let missing: Option<String> = cache.get("nothing")?;
    assert_eq!(missing, None);
    let both: (i64, i64) = pipe()
        .incr("canary", 1)
        .incr("canary", 1)
        .query(&mut cache)?;
    assert_eq!(both, (9, 10));
    let both: (i64, i64) = pipe()
        .atomic()
        .incr("canary", 1)
        .incr("canary", 1)
        .query(&mut cache)?;
    assert_eq!(both, (11, 12));
    let keys: Vec<String> = cache.scan()?.collect::<redis::RedisResult<_>>()?;
    assert_eq!(keys, ["canary"]);
    let (names, seen) = taken(&spans);
    assert_eq!(names, ["SET", "INCRBY", "GET", "PIPELINE", "MULTI", "SCAN"]);
    assert!(!seen.contains("canary"), "{seen}");

    let error = cache
        .lpush::<_, _, Value>("canary", 1)
        .expect_err("a number is no list");
    assert_eq!(error.code(), Some("WRONGTYPE"));
    let error = redis::cmd("CANARY")
        .arg("canary")
        .query::<Value>(&mut cache);
    assert!(
        error
            .expect_err("no such command")
            .to_string()
            .contains("canary")
    );
    let (names, seen) = taken(&spans);
    assert_eq!(names, ["LPUSH", "Command"]);
    assert_eq!(
        seen.matches("\"error\", value: Bool(true)").count(),
        2,
        "{seen}"
    );
    assert!(!seen.to_lowercase().contains("canary"), "{seen}");
    Ok(())
}

#[test]
fn an_async_connection_works_as_before_and_each_command_is_a_span() -> Result {
    let Some(server) = RedisServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::metadata())?;
    let client = Client::open(server.url())?;
    let database = Database::redis(tracer.clone(), client.get_connection_info());
    Runtime::new()?.block_on(async {
        let connection = client.get_multiplexed_async_connection().await?;
        let mut cache = TracedRedis::new(connection, database);
        let page = tracer.start_span("page");
        let script = Script::new("return redis.call('SET', KEYS[1], ARGV[1])");
        async {
            let () = cache.set("a", "canary").await?;
            let value: String = cache.get("a").await?;
            assert_eq!(value, "canary");
            let _: Value = script
                .key("b")
                .arg("canary")
                .invoke_async(&mut cache)
                .await?;
            let values: Vec<String> = cache.mget(&["a", "b"]).await?;
            assert_eq!(values, ["canary", "canary"]);
            let pair: (i64, i64) = pipe()
                .atomic()
                .incr("n", 1)
                .incr("n", 1)
                .query_async(&mut cache)
                .await?;
            assert_eq!(pair, (1, 2));
            Ok::<_, Box<dyn std::error::Error>>(())
        }
        .in_span(page)
        .await
    })?;
    let parents: Vec<_> = spans
        .spans()
        .iter()
        .map(|span| span.parent_id.is_some())
        .collect();
    assert_eq!(
        parents.iter().filter(|has_parent| !**has_parent).count(),
        1,
        "only the page"
    );
    let (names, seen) = taken(&spans);
    // A script is loaded when the server does not know it yet.
    let script = ["EVALSHA", "SCRIPT", "EVALSHA"];
    let expected = [&["SET", "GET"][..], &script, &["MGET", "MULTI", "page"]].concat();
    assert_eq!(names, expected);
    assert!(!seen.contains("canary"), "{seen}");
    Ok(())
}

#[test]
fn everything_is_recorded_in_a_test_environment_but_passwords() -> Result {
    let Some(server) = RedisServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::everything())?;
    let client = Client::open(server.url())?;
    let database = Database::redis(tracer, client.get_connection_info());
    let mut cache = TracedRedis::new(client.get_connection()?, database);
    let () = cache.set("user", "Ada Lovelace")?;
    let _: String = cache.get("user")?;
    let set = redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("canary")
        .exec(&mut cache);
    set?;
    redis::cmd("AUTH").arg("canary").exec(&mut cache)?;
    let statements: Vec<_> = spans
        .spans()
        .iter()
        .map(|span| span.tag_text("db.statement").into_owned())
        .collect();
    let expected = [
        "SET user \"Ada Lovelace\"",
        "GET user",
        "CONFIG ? ? ?",
        "AUTH ?",
    ];
    assert_eq!(statements, expected);
    assert!(
        spans.spans()[1]
            .tag_text("db.result")
            .contains("Ada Lovelace")
    );
    let (_, seen) = taken(&spans);
    assert!(!seen.contains("canary"), "{seen}");
    Ok(())
}

#[test]
fn a_message_has_a_span_that_follows_from_the_subscriber() -> Result {
    let Some(server) = RedisServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = tracer(Recording::metadata())?;
    let client = Client::open(server.url())?;
    let database = Database::redis(tracer.clone(), client.get_connection_info());
    let mut connection = client.get_connection()?;
    let subscriber = tracer.start_active_span("subscribe");
    let mut subscription = connection.as_pubsub();
    subscription.subscribe("orders")?;
    subscription.psubscribe("user:*")?;
    let messages = RedisMessages::new(&database);
    let id = subscriber.context().span_id();
    subscriber.finish();
    let mut publisher = client.get_connection()?;
    let _: i64 = publisher.publish("orders", "canary")?;
    let _: i64 = publisher.publish("user:canary", "canary")?;
    for _ in 0..2 {
        let message = subscription.get_message()?;
        messages.span(&message).finish();
    }
    let parents: Vec<_> = spans.spans().iter().map(|span| span.parent_id).collect();
    assert_eq!(parents, [None, id, id]);
    let (names, seen) = taken(&spans);
    assert_eq!(names, ["subscribe", "From_orders", "From_user:*"]);
    assert!(!seen.contains("canary"), "{seen}");
    Ok(())
}
