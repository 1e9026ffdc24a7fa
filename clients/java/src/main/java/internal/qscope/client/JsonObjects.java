package internal.qscope.client;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Reads JSON without a choice: two parsers that read a text differently would see different tokens. */
final class JsonObjects {
  /** How deep JSON may be nested: a token of QScope has a few levels. */
  private static final int MOST_LEVELS = 64;

  /**
   * Half a character, of which parsers make different ones. QScope escapes no whole one. A backslash may be escaped
   * itself.
   */
  private static final Pattern SURROGATE = Pattern.compile("[^\\\\](?:\\\\\\\\)*\\\\u[dD][89a-fA-F]");

  private JsonObjects() {}

  /**
   * Reads an object (RFC 8259) whose members have names of their own, in objects inside it too (RFC 7515 §4, RFC 7519
   * §4). Whole numbers are {@link Long}, others {@link Double}.
   */
  static Map<String, Object> read(byte[] bytes) throws MalformedTokenException {
    try {
      var text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      // The reader passes over a byte order mark.
      if (text.startsWith("\ufeff")) {
        throw new MalformedTokenException("it begins with a byte order mark");
      }
      if (SURROGATE.matcher(text).find()) {
        throw new MalformedTokenException("it has half a character");
      }
      var reader = new JsonReader(new StringReader(text));
      reader.setStrictness(Strictness.STRICT);
      var object = object(reader, 1);
      if (reader.peek() != JsonToken.END_DOCUMENT) {
        throw new MalformedTokenException("there is something after the object");
      }
      return object;
    } catch (CharacterCodingException | MalformedJsonException | EOFException error) {
      throw new MalformedTokenException("not JSON in UTF-8", error);
    } catch (NumberFormatException | IllegalStateException error) {
      throw new MalformedTokenException("not an object of JSON", error);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static Map<String, Object> object(JsonReader reader, int level) throws IOException, MalformedTokenException {
    var object = new LinkedHashMap<String, Object>();
    reader.beginObject();
    while (reader.hasNext()) {
      var name = reader.nextName();
      if (object.containsKey(name)) {
        throw new MalformedTokenException("a member is there twice");
      }
      object.put(name, value(reader, level + 1));
    }
    reader.endObject();
    return object;
  }

  private static List<Object> list(JsonReader reader, int level) throws IOException, MalformedTokenException {
    var list = new ArrayList<Object>();
    reader.beginArray();
    while (reader.hasNext()) {
      list.add(value(reader, level + 1));
    }
    reader.endArray();
    return list;
  }

  private static Object value(JsonReader reader, int level) throws IOException, MalformedTokenException {
    var next = reader.peek();
    if (level > MOST_LEVELS && (next == JsonToken.BEGIN_OBJECT || next == JsonToken.BEGIN_ARRAY)) {
      throw new MalformedTokenException("nested too deep");
    }
    return switch (next) {
      case BEGIN_OBJECT -> object(reader, level);
      case BEGIN_ARRAY -> list(reader, level);
      case STRING -> reader.nextString();
      case NUMBER -> number(reader.nextString());
      case BOOLEAN -> reader.nextBoolean();
      case NULL -> {
        reader.nextNull();
        yield null;
      }
      default -> throw new MalformedTokenException("not a value of JSON");
    };
  }

  private static Number number(String text) {
    var value = Double.parseDouble(text);
    if (value == Math.rint(value) && Math.abs(value) < 1e15) {
      return (long) value;
    }
    return value;
  }
}
