// Package publish puts the output of an attempt in its place, so that what
// stands under the final name is whole and comes from the attempt that the
// store chose.
//
// A command writes into a staging folder that belongs to one attempt:
// DIR/.sluice-<id>-<token>/NAME for the final path DIR/NAME. DIR and the
// staging folder are one file system, so publishing is renaming.
//
//	s := publish.NewStage(final, id, token)
//	s.Create()                    // the command then writes to s.Out()
//	r, err := s.Record(...)       // checks the output, makes it durable
//	                              // commit r in the store: fenced by the token
//	publish.Finish(r)             // rename; whoever has r may do it, at any time
//	                              // ack
//	s.Remove()
//
// The record that is committed names every file with its identity: size,
// modification time and inode, which a rename leaves as they are. So a later
// holder of the item can tell a final that is this very output from one that
// merely has its name, and finishes what the first holder left undone.
//
// Every top-level entry of the staging folder is published into DIR, NAME
// last: when it is there then so are the others. A symbolic link is published
// as a link, never followed; it must be relative, and lead to something in the
// staging folder, to mean the same in DIR.
package publish
