/** A measurement that is not possible here, with the reason. */
export class NotAvailable extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'NotAvailable'
  }
}
