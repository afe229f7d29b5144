package thriftpeer;

import io.jaegertracing.agent.thrift.Agent;
import io.jaegertracing.internal.JaegerSpanContext;
import io.jaegertracing.internal.JaegerTracer;
import io.jaegertracing.internal.reporters.RemoteReporter;
import io.jaegertracing.internal.samplers.ConstSampler;
import io.jaegertracing.thrift.internal.senders.UdpSender;
import io.jaegertracing.thrift.sampling_manager.ProbabilisticSamplingStrategy;
import io.jaegertracing.thrift.sampling_manager.SamplingManager;
import io.jaegertracing.thrift.sampling_manager.SamplingStrategyResponse;
import io.jaegertracing.thrift.sampling_manager.SamplingStrategyType;
import io.jaegertracing.thriftjava.Batch;
import io.jaegertracing.thriftjava.Process;
import io.opentracing.thrift.SpanProcessor;
import io.opentracing.thrift.SpanProtocol;
import java.net.InetSocketAddress;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.apache.thrift.TException;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TCompactProtocol;
import org.apache.thrift.protocol.TProtocolFactory;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.TServerSocket;
import org.apache.thrift.transport.TSocket;
import org.apache.thrift.transport.TTransport;

/**
 * A Thrift server over the published opentracing-thrift 0.1.3, which calls back by its client.
 *
 * <p>The service is one that jaeger-thrift has generated code for. The name that it is asked for says what it should
 * do, and the answer says whether the trace is sampled.
 */
final class Main implements SamplingManager.Iface {
  private final JaegerTracer tracer;
  private final TProtocolFactory protocols;
  private final InetSocketAddress back;

  public static void main(String[] arguments) throws Exception {
    Map<String, String> flags = new HashMap<>();
    for (int at = 0; at + 1 < arguments.length; at += 2) {
      flags.put(arguments[at].replaceFirst("^--", ""), arguments[at + 1]);
    }
    InetSocketAddress agent = address(flags.get("agent-compact"));
    UdpSender sender = new UdpSender(agent.getHostString(), agent.getPort(), 0);
    JaegerTracer tracer =
        new JaegerTracer.Builder("thrift-java")
            .withSampler(new ConstSampler(false))
            .withReporter(
                new RemoteReporter.Builder().withSender(sender).withFlushInterval(100).build())
            .build();
    TProtocolFactory protocols =
        "compact".equals(flags.get("protocol"))
            ? new TCompactProtocol.Factory()
            : new TBinaryProtocol.Factory();
    Main main = new Main(tracer, protocols, address(flags.get("back")));
    TThreadPoolServer.Args server =
        new TThreadPoolServer.Args(new TServerSocket(address(flags.get("listen"))))
            .protocolFactory(protocols)
            .processor(new SpanProcessor(new SamplingManager.Processor<>(main), tracer));
    new TThreadPoolServer(server).serve();
  }

  private Main(JaegerTracer tracer, TProtocolFactory protocols, InetSocketAddress back) {
    this.tracer = tracer;
    this.protocols = protocols;
    this.back = back;
  }

  @Override
  public SamplingStrategyResponse getSamplingStrategy(String name) throws TException {
    if ("fail".equals(name)) {
      throw new IllegalStateException("no strategy");
    }
    try (TTransport transport = new TSocket(back.getHostString(), back.getPort())) {
      transport.open();
      SpanProtocol protocol = new SpanProtocol(protocols.getProtocol(transport), tracer);
      if ("nested".equals(name)) {
        // A oneway call whose first struct to end is not that of the arguments.
        new Agent.Client(protocol).emitBatch(new Batch(new Process("x"), Collections.emptyList()));
      } else {
        String next = name.replaceFirst("^back-", "");
        new SamplingManager.Client(protocol).getSamplingStrategy(next);
      }
    }
    JaegerSpanContext context = (JaegerSpanContext) tracer.activeSpan().context();
    return new SamplingStrategyResponse(SamplingStrategyType.PROBABILISTIC)
        .setProbabilisticSampling(new ProbabilisticSamplingStrategy(context.isSampled() ? 1 : 0));
  }

  private static InetSocketAddress address(String hostPort) {
    int colon = hostPort.lastIndexOf(':');
    int port = Integer.parseInt(hostPort.substring(colon + 1));
    return new InetSocketAddress(hostPort.substring(0, colon), port);
  }
}
