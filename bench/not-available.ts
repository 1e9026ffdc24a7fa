/** Something that cannot be measured here, and why. */
export class NotAvailable extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'NotAvailable'
  }
}
