import { HandfastError } from "#kernel/errors.js";
import { FolderError } from "./folder.js";
import type { Refusal } from "./messages.js";

const TEXTS: Readonly<Record<Refusal, string>> = {
  changing: "it changes too often to be copied; it is tried again",
  "in the way": "something with its name is in the way",
  unsafe: "it would go through a link or a device",
  denied: "the folder may not be written to; check its permissions",
  failed: "the disk reports an error",
  name: "the disk cannot hold its name",
};

/** In words, for the person. */
export function refusalText(why: Refusal): string {
  return TEXTS[why];
}

/** Why one file could not be stored; undefined when the error is about more than this file. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof FolderError) return ofFolderError(error);
  const { code } = error as { readonly code?: unknown };
  if (error instanceof HandfastError || typeof code !== "string") return undefined;
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "denied";
  if (code === "ENAMETOOLONG" || code === "EINVAL" || code === "EILSEQ") return "name";
  return "failed";
}

function ofFolderError({ code }: FolderError): Refusal | undefined {
  if (code === "FILE_CHANGING") return "changing";
  if (code === "FOLDER_IN_THE_WAY") return "in the way";
  return code === "FOLDER_UNSAFE" ? "unsafe" : undefined;
}
