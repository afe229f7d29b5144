package crossdock;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.jaegertracing.internal.JaegerSpan;
import io.jaegertracing.internal.JaegerSpanContext;
import io.jaegertracing.internal.JaegerTracer;
import io.opentracing.SpanContext;
import io.opentracing.propagation.Format;
import io.opentracing.propagation.TextMapAdapter;
import io.opentracing.tag.Tags;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** The requests of the crossdock. */
final class Service {
  private static final String BAGGAGE_KEY = "crossdock-baggage-key";
  private static final int LARGEST_BODY = 1 << 20;

  private final JaegerTracer tracer;
  private final HttpServer server;
  /** Has a thread for every request, because a service that calls itself waits in one of them. */
  private final ExecutorService threads = Executors.newCachedThreadPool();

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  Service(JaegerTracer tracer, InetSocketAddress address) throws IOException {
    this.tracer = tracer;
    server = HttpServer.create(address, 0);
    server.setExecutor(threads);
    server.createContext("/", this::answer);
  }

  void start() {
    server.start();
  }

  void stop() {
    server.stop(0);
    threads.shutdownNow();
  }

  private void answer(HttpExchange exchange) throws IOException {
    try {
      String path = exchange.getRequestURI().getPath();
      if (!exchange.getRequestMethod().equals("POST")) {
        exchange.sendResponseHeaders(path.equals("/") ? 200 : 404, -1);
      } else if (path.equals("/start_trace") || path.equals("/join_trace")) {
        int status = 200;
        String text;
        try {
          text = handle(path, exchange).toString();
        } catch (Exception error) {
          error.printStackTrace();
          status = 500;
          text = error.toString();
        }
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
      } else {
        exchange.sendResponseHeaders(404, -1);
      }
    } finally {
      exchange.close();
    }
  }

  private JsonObject handle(String path, HttpExchange exchange) throws Exception {
    byte[] body = exchange.getRequestBody().readNBytes(LARGEST_BODY);
    JaegerSpan received = span("post", Tags.SPAN_KIND_SERVER, caller(exchange));
    try {
      JsonObject request =
          JsonParser.parseString(new String(body, StandardCharsets.UTF_8)).getAsJsonObject();
      if (path.equals("/join_trace")) {
        return follow(received, request.get("downstream"));
      }
      JaegerSpan root = tracer.buildSpan(text(request, "serverRole")).ignoreActiveSpan().start();
      try {
        if (request.get("sampled").getAsBoolean()) {
          Tags.SAMPLING_PRIORITY.set(root, 1);
        }
        root.setBaggageItem(BAGGAGE_KEY, text(request, "baggage"));
        JsonElement items = request.get("items");
        if (items != null && !items.isJsonNull()) {
          items
              .getAsJsonObject()
              .entrySet()
              .forEach(item -> root.setBaggageItem(item.getKey(), item.getValue().getAsString()));
        }
        return follow(root, request.get("downstream"));
      } finally {
        root.finish();
      }
    } finally {
      received.finish();
    }
  }

  private SpanContext caller(HttpExchange exchange) {
    Map<String, String> headers = new HashMap<>();
    // The server writes names with a capital first letter, whatever the caller wrote, but the codec
    // for B3 looks for baggage in lower case.
    exchange
        .getRequestHeaders()
        .forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), values.get(0)));
    return tracer.extract(Format.Builtin.HTTP_HEADERS, new TextMapAdapter(headers));
  }

  private JaegerSpan span(String name, String kind, SpanContext parent) {
    JaegerTracer.SpanBuilder builder = tracer.buildSpan(name).ignoreActiveSpan();
    return builder.asChildOf(parent).withTag(Tags.SPAN_KIND.getKey(), kind).start();
  }

  /** Returns what {@code span} and everything below it observes. */
  private JsonObject follow(JaegerSpan span, JsonElement next) throws Exception {
    JsonObject answer = new JsonObject();
    answer.add("span", observe(span));
    answer.addProperty("notImplementedError", "");
    if (next == null || next.isJsonNull()) {
      return answer;
    }
    JsonObject downstream = next.getAsJsonObject();
    String transport = text(downstream, "transport");
    if (transport.equals("HTTP")) {
      answer.add("downstream", call(span, downstream));
    } else {
      JsonObject lacks = new JsonObject();
      lacks.addProperty("notImplementedError", "no transport " + transport);
      answer.add("downstream", lacks);
    }
    return answer;
  }

  private JsonObject observe(JaegerSpan span) {
    JaegerSpanContext context = span.context();
    String item = span.getBaggageItem(BAGGAGE_KEY);
    JsonObject observed = new JsonObject();
    observed.addProperty("traceId", context.getTraceId());
    observed.addProperty("sampled", context.isSampled());
    observed.addProperty("baggage", item == null ? "" : item);
    JsonObject items = new JsonObject();
    context.baggageItems().forEach(each -> items.addProperty(each.getKey(), each.getValue()));
    observed.add("items", items);
    return observed;
  }

  private JsonElement call(JaegerSpan parent, JsonObject downstream) throws Exception {
    JsonObject body = new JsonObject();
    body.add("serverRole", downstream.get("serverRole"));
    body.add("downstream", downstream.get("downstream"));
    JaegerSpan span = span("post", Tags.SPAN_KIND_CLIENT, parent.context());
    try {
      Map<String, String> headers = new HashMap<>();
      headers.put("Content-Type", "application/json");
      tracer.inject(span.context(), Format.Builtin.HTTP_HEADERS, new TextMapAdapter(headers));
      String address = text(downstream, "host") + ":" + text(downstream, "port");
      HttpRequest.Builder request =
          HttpRequest.newBuilder(URI.create("http://" + address + "/join_trace"))
              .POST(HttpRequest.BodyPublishers.ofString(body.toString()));
      headers.forEach(
          (name, value) -> {
            try {
              request.header(name, value);
            } catch (IllegalArgumentException error) {
              // The codec for B3 writes baggage as it is, whatever it contains.
              System.err.println("a header is left out: " + error.getMessage());
            }
          });
      HttpResponse<String> response =
          client.send(request.build(), HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new IOException(
            address + " answered " + response.statusCode() + ": " + response.body());
      }
      return JsonParser.parseString(response.body());
    } finally {
      span.finish();
    }
  }

  private static String text(JsonObject object, String name) {
    return object.get(name).getAsString();
  }
}
