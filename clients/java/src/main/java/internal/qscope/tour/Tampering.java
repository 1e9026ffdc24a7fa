package internal.qscope.tour;

/** Tokens that somebody changed. */
final class Tampering {
  private Tampering() {}

  /** Changes the first character of a JWT's signature. */
  static String tampered(String token) {
    int at = token.lastIndexOf('.') + 1;
    char other = token.charAt(at) == 'A' ? 'B' : 'A';
    return token.substring(0, at) + other + token.substring(at + 1);
  }
}
