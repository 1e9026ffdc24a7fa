/** The longest that a token of the console lives, in seconds, whatever the server would allow. */
export const LONGEST_S = 900
/** After how many seconds without a key, a click or a movement a session ends. */
export const IDLE_S = 600
/** How many seconds before its end a session asks whether it should go on. */
export const WARNING_S = 60
