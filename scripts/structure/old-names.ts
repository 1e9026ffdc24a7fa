/**
 * Identifiers of a private language that the field has words for; docs/glossary.md
 * maps those that decision records still use. Nothing in src is called so.
 */
export const OLD_NAMES =
  /(?<![\w$])(?:Turns?|CallSize|startAccessLine|evenRefusal|CallOrigin|HttpOrigin|GrpcOrigin|Interruption|proveAgain|provedAt|findExcess|itemCounter|TokenBuckets|Sharing|Tell|Hear|AuthenticationGate|AssertionIds|LiveTokens|OpenWatches|TokenWishes|wishes|grounds|particulars|Reach|Judgement|judged?|JUDGE_ANEW|isIdle|holdFamily|capFamilies|DatabaseTrouble|trouble|Slots?|WriterSlot|AppendLane|sendThrough|Unit|DraftLane|DraftBook|refuted|TransactionLane|decide|ReadBatcher|whenAllHaveAsked|callersGoOn|StatementTemplate|Blank|parties|\w*Standing|standing|enrol|concern|Crew|Post|hopeless|PrimaryLine|Order|heed|obey|Keeper|keeper|Premises|premises|Rounds|measureWith|systemCall|welcome|insistOn\w+)(?![\w$])/g
