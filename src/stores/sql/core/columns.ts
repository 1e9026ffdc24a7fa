import type { ColumnType } from 'kysely'

/** An integer as drivers give it: parsed in rows.ts before it is believed. */
export type StoredInt = number | bigint | string

export type Int = ColumnType<StoredInt, number, number>
export type NullableInt = ColumnType<StoredInt | null, number | null, number | null>
/** 32 bytes. */
export type Hash = ColumnType<Uint8Array, Uint8Array, Uint8Array>
export type NullableHash = ColumnType<Uint8Array | null, Uint8Array | null, Uint8Array | null>
export type NullableBytes = NullableHash
