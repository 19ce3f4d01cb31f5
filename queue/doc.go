// Package queue is a work queue with leases and fencing tokens, whatever store
// keeps it.
//
// An item goes blocked -> delayed -> ready -> leased and ends done, dead or
// cancelled. A lease is the right to work on an item until a deadline that the
// store's clock decides; its token grows with every lease of the item and
// refuses every older holder, so that work which runs twice counts once.
//
// Queue is what programs use. It checks its input, numbers the exchanges of
// each worker and repeats the ones whose reply was lost. Driver is what a
// store implements; package queuetest is its conformance suite.
package queue
