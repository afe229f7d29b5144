package decisions;

import io.jaegertracing.internal.samplers.ProbabilisticSampler;
import java.io.BufferedOutputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/**
 * Says which traces the probabilistic sampler of the published Java client, jaeger-client 1.8.1, keeps.
 *
 * <p>The arguments are probabilities. Standard input holds the lower halves of trace ids, eight bytes each, the highest
 * first. The answer is one line for each probability, with a 1 or a 0 for each id.
 */
final class Main {
  public static void main(String[] arguments) throws Exception {
    byte[] input = System.in.readAllBytes();
    if (input.length % Long.BYTES != 0) {
      throw new IllegalArgumentException(input.length + " bytes are no ids");
    }
    try (OutputStream answers = new BufferedOutputStream(System.out)) {
      for (String text : arguments) {
        ProbabilisticSampler sampler = new ProbabilisticSampler(Double.parseDouble(text));
        ByteBuffer ids = ByteBuffer.wrap(input);
        while (ids.hasRemaining()) {
          answers.write(sampler.sample("op", ids.getLong()).isSampled() ? '1' : '0');
        }
        answers.write('\n');
      }
    }
  }
}
