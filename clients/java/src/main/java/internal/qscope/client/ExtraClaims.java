package internal.qscope.client;

import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Claims beyond those that QScope itself writes, as the rule of a trusted issuer made them of an assertion. */
final class ExtraClaims {
  /** Names that QScope and the RFCs give a meaning: no claim of an issuer's rule has one of them. */
  private static final Set<String> RESERVED =
      Set.of(
          "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "active", "scope", "client_id",
          "username", "token_type", "auth_time", "acr", "amr", "azp", "nonce", "at_hash", "c_hash",
          "s_hash", "sid", "sub_id", "act", "may_act", "cnf", "authorization_details",
          "token_introspection", "events", "txn", "tctx", "rctx", "req_wl", "purp", "azd", "rvk",
          "extra", "__proto__", "constructor", "prototype");

  private ExtraClaims() {}

  /** Those of a JWT. */
  static Map<String, Object> of(Map<String, Object> claims) {
    var extra = new LinkedHashMap<String, Object>();
    claims.forEach(
        (name, value) -> {
          if (!RESERVED.contains(name) && !name.toLowerCase(Locale.ROOT).startsWith("qscope")) {
            extra.put(name, withDoubles(value));
          }
        });
    return Collections.unmodifiableMap(extra);
  }

  /** Those of an answer. */
  static Map<String, Object> of(Struct struct) {
    var object = new LinkedHashMap<String, Object>();
    struct.getFieldsMap().forEach((name, value) -> object.put(name, of(value)));
    return Collections.unmodifiableMap(object);
  }

  private static Object of(Value value) {
    return switch (value.getKindCase()) {
      case NUMBER_VALUE -> value.getNumberValue();
      case STRING_VALUE -> value.getStringValue();
      case BOOL_VALUE -> value.getBoolValue();
      case STRUCT_VALUE -> of(value.getStructValue());
      case LIST_VALUE -> of(value.getListValue());
      case NULL_VALUE, KIND_NOT_SET -> null;
    };
  }

  private static List<Object> of(ListValue values) {
    var list = new ArrayList<Object>();
    values.getValuesList().forEach(value -> list.add(of(value)));
    return Collections.unmodifiableList(list);
  }

  /** Numbers as an answer of QScope has them. */
  private static Object withDoubles(Object value) {
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    if (value instanceof List<?> elements) {
      var list = new ArrayList<Object>();
      elements.forEach(element -> list.add(withDoubles(element)));
      return Collections.unmodifiableList(list);
    }
    if (value instanceof Map<?, ?> members) {
      var object = new LinkedHashMap<String, Object>();
      members.forEach((name, member) -> object.put((String) name, withDoubles(member)));
      return Collections.unmodifiableMap(object);
    }
    return value;
  }
}
