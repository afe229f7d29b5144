package crossdock;

import io.jaegertracing.internal.JaegerTracer;
import io.jaegertracing.internal.propagation.B3TextMapCodec;
import io.jaegertracing.internal.propagation.TraceContextCodec;
import io.jaegertracing.internal.reporters.RemoteReporter;
import io.jaegertracing.internal.samplers.ConstSampler;
import io.jaegertracing.spi.Codec;
import io.jaegertracing.spi.Sender;
import io.jaegertracing.thrift.internal.senders.HttpSender;
import io.jaegertracing.thrift.internal.senders.UdpSender;
import io.opentracing.propagation.Format;
import io.opentracing.propagation.TextMap;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;

/** A crossdock service over the published Java client, jaeger-client 1.8.1. */
final class Main {
  private static final int FLUSH_MILLIS = 100;

  public static void main(String[] arguments) throws Exception {
    Map<String, String> flags = flags(arguments);
    JaegerTracer.Builder builder =
        new JaegerTracer.Builder(flags.get("service"))
            .withSampler(new ConstSampler(false))
            .withManualShutdown();
    if ("128".equals(flags.get("trace-id-bits"))) {
      builder.withTraceId128Bit();
    }
    switch (flags.get("format")) {
      case "jaeger":
        break;
      case "b3":
        register(builder, new B3TextMapCodec.Builder().build());
        break;
      case "w3c":
        register(builder, new TraceContextCodec.Builder().build());
        break;
      default:
        System.err.println("jaeger-client has no format " + flags.get("format"));
        System.exit(3);
    }
    String collector = flags.get("collector");
    InetSocketAddress agent = address(flags.get("agent-compact"));
    // The packet size 0 stands for the default.
    Sender sender =
        collector == null
            ? new UdpSender(agent.getHostString(), agent.getPort(), 0)
            : new HttpSender.Builder(collector).build();
    builder.withReporter(
        new RemoteReporter.Builder().withSender(sender).withFlushInterval(FLUSH_MILLIS).build());
    JaegerTracer tracer = builder.build();
    Service service = new Service(tracer, address(flags.get("host") + ":" + flags.get("port")));
    Runtime runtime = Runtime.getRuntime();
    runtime.addShutdownHook(
        new Thread(
            () -> {
              service.stop();
              tracer.close();
              // Otherwise the code of a program that was ended by a signal is not 0.
              runtime.halt(0);
            }));
    service.start();
  }

  private static void register(JaegerTracer.Builder builder, Codec<TextMap> codec) {
    builder.registerInjector(Format.Builtin.HTTP_HEADERS, codec);
    builder.registerExtractor(Format.Builtin.HTTP_HEADERS, codec);
  }

  /** Reads {@code --name value} pairs; every service gets the same ones. */
  private static Map<String, String> flags(String[] arguments) {
    Map<String, String> flags = new HashMap<>();
    for (int at = 0; at + 1 < arguments.length; at += 2) {
      flags.put(arguments[at].replaceFirst("^--", ""), arguments[at + 1]);
    }
    return flags;
  }

  private static InetSocketAddress address(String hostPort) {
    int colon = hostPort.lastIndexOf(':');
    int port = Integer.parseInt(hostPort.substring(colon + 1));
    return new InetSocketAddress(hostPort.substring(0, colon), port);
  }
}
